"""What was published, below what was measured."""

from collections.abc import Sequence

from apps.benchmarking.experiment.protocols import find_protocol
from apps.tables import markdown


def published_lines(name: str, learned: Sequence[str], compared: Sequence[str]) -> list[str]:
    """Lines of Markdown on a protocol, and the scores that its paper prints, if any.

    Args:
        name: of the protocol.
        learned: tasks of the networks that were trained.
        compared: those of them that count.
    """
    protocol = find_protocol(name)
    recipe, published = protocol.recipe, protocol.published
    lines = [
        f"Protocol {name}: {recipe.optimizer}, weight decay {recipe.weight_decay:g}, rate {recipe.schedule}, pictures "
        f"scaled by {recipe.least_zoom:g} to {recipe.most_zoom:g}, losses weighted "
        f"{recipe.loss_weights(learned) or 'equally'}. docs/training/public-datasets.md says what differs "
        "from the paper.",
    ]
    if set(compared) != set(protocol.tasks):
        lines[0] += f" Its tasks are {', '.join(protocol.tasks)}; delta_m above is over {', '.join(compared)}."
    if published is None:
        return lines
    table = [["published", "--methods", "delta_m %", *published.headings]]
    table += [[method, published.names_here.get(method, ""), *scores] for method, *scores in published.rows]
    heading = f"**Published, not measured here**: {published.source}; {published.setting}. {published.remark}".rstrip()
    return [*lines, "", heading, "", markdown(table)]
