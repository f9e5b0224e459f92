"""What was published, below what was measured."""

from apps.benchmarking.experiment.options import BenchOptions
from apps.benchmarking.experiment.protocols import find_protocol
from apps.tables import markdown


def published_lines(options: BenchOptions) -> list[str]:
    """Lines of Markdown on the protocol of the options, and the scores that its paper prints, if any."""
    protocol = find_protocol(options.protocol)
    recipe, published = protocol.recipe, protocol.published
    weights = recipe.loss_weights((*options.tasks, *options.auxiliary))
    lines = [
        f"Protocol {options.protocol}: {recipe.optimizer}, weight decay {recipe.weight_decay:g}, rate "
        f"{recipe.schedule}, pictures scaled by {recipe.least_zoom:g} to {recipe.most_zoom:g}, losses weighted "
        f"{weights or 'equally'}. docs/training/public-datasets.md says what differs from the paper.",
    ]
    if published is None:
        return lines
    table = [["published", "here", "delta_m %", *published.headings]]
    table += [[name, published.names_here.get(name, ""), *scores] for name, *scores in published.rows]
    heading = f"**Published, not measured here**: {published.source}; {published.setting}. {published.remark}".rstrip()
    if set(options.tasks) != set(protocol.tasks):
        heading += f" Its delta_m is over {', '.join(protocol.tasks)}, that above over {', '.join(options.tasks)}."
    return [*lines, "", heading, "", markdown(table)]
