"""What was published, below what was measured."""

from apps.benchmarking.experiment.protocols import find_protocol
from apps.tables import markdown


def published_lines(name: str) -> list[str]:
    """Lines of Markdown on a protocol, and the scores that its paper prints, if any."""
    protocol = find_protocol(name)
    recipe, published = protocol.recipe, protocol.published
    lines = [
        f"Protocol {name}: {recipe.optimizer}, weight decay {recipe.weight_decay:g}, rate {recipe.schedule}, pictures "
        f"scaled by {recipe.least_zoom:g} to {recipe.most_zoom:g}, losses weighted "
        f"{recipe.weights or 'equally'}. docs/training/public-datasets.md says what differs "
        "from the paper.",
    ]
    if published is None:
        return lines
    table = [["published", "delta_m %", *published.headings], *(list(row) for row in published.rows)]
    heading = f"**Published, not measured here**: {published.source}; {published.setting}. {published.remark}".rstrip()
    return [*lines, "", heading, "", markdown(table)]
