"""What the losses compare with."""

from dataclasses import replace

import torch

from apps.training.losses.targets import known_pixels, true_cells


def pixels_of(cell):
    """Rows and columns of the pixels of a cell (row, column)."""
    row, column = cell
    return slice(8 * row, 8 * row + 8), slice(8 * column, 8 * column + 8)


def test_a_matched_cell_is_moved_by_the_truth_to_within_half_a_cell(batch):
    cells = true_cells(batch, batch.truth).view(-1, 8, 8)
    assert cells.shape[0] == 4
    assert -1 <= cells.min() <= cells.max() <= 64
    matched = ((cells >= 0) & (cells < 64)).nonzero().tolist()
    assert len(matched) > 20
    for b, *cell in matched:
        rows, columns = pixels_of(cell)
        visible = batch.truth.visible[b, 0, rows, columns] > 0
        assert visible.float().mean() > 0.5 * known_pixels(batch.truth)[b, 0, rows, columns].mean()
        centre = torch.tensor([columns.start + 3.5, rows.start + 3.5])
        moved = centre + batch.truth.residual[b, :, rows, columns][:, visible].mean(1)
        match = cells[(b, *cell)]
        expected = torch.tensor([8.0 * (match % 8), 8.0 * (match // 8)]) + 3.5
        assert (moved - expected).abs().max() <= 4.01


def test_a_cell_in_the_dustbin_is_not_visible_or_moves_out_of_the_window(batch):
    unmatched = (true_cells(batch, batch.truth).view(-1, 8, 8) == 64).nonzero().tolist()
    assert unmatched
    for b, *cell in unmatched:
        rows, columns = pixels_of(cell)
        hidden = batch.truth.visible[b, 0, rows, columns].mean() <= 0.5
        x = columns.start + torch.arange(8.0) + batch.truth.residual[b, 0, rows, columns]
        y = rows.start + torch.arange(8.0)[:, None] + batch.truth.residual[b, 1, rows, columns]
        outside = not (-4 <= x.mean() <= 68 and -4 <= y.mean() <= 68)
        assert hidden or outside


def test_nothing_is_asked_of_a_cell_of_which_nothing_is_known(batch):
    truth = batch.truth
    known = torch.zeros_like(truth.visible)
    known[..., 32:] = 1
    masks = {name: getattr(truth, name) * known for name in ("visible", "occluded", "outside")}
    before, after = (true_cells(batch, some).view(-1, 8, 8) for some in (truth, replace(truth, **masks)))
    assert (after[..., :4] == -1).all()
    assert torch.equal(after[..., 4:], before[..., 4:])
    assert (before[..., :4] == 64).any()  # known to have no match
