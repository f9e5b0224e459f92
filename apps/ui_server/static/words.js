/** What the page says. */

const STAGES = {
  start: "Starting",
  read: "Reading the pictures",
  align: "Finding where the pictures overlap",
  match: "Finding which pictures overlap",
  adjust: "Placing all pictures together",
  place: "Fitting picture after picture",
  warp: "Fitting the pictures to each other",
  blend: "Finding the best seam",
  compose: "Painting the panorama",
  write: "Writing the panorama",
};

const VALUES = {
  auto: "Automatic",
  projection: { plane: "Flat", cylinder: "Cylinder", sphere: "Sphere" },
  lens: { auto: "Correct known lenses", none: "Leave as it is" },
  warp: {
    classical: "Dense",
    matches: "Dense, with the network",
    homography: "One plane for all",
  },
  blend: { seam: "Along a seam", network: "By the network" },
};

/** Why something was refused, without the name that is told beside it. */
export function reasonInWords(name, error) {
  return sentence(error.startsWith(`${name}: `) ? error.slice(name.length + 2) : error);
}

/** A value of a choice as people read it. */
export function valueInWords(choice, value) {
  return VALUES[choice]?.[value] ?? (value === "auto" ? VALUES.auto : value);
}

export function stageInWords(stage) {
  return STAGES[stage] ?? "Working";
}

export function sizeInWords([width, height]) {
  return `${width} × ${height} px`;
}

export function bytesInWords(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** One sentence on a stitch: the verdict of its summary. */
export function verdictInWords({ summary, warnings }) {
  const inside = summary.pictures?.length;
  const of = inside ? `${inside} of ${inside + (summary.left_out?.length ?? 0)} pictures stitched` : "Stitched";
  if (warnings.length) {
    const count = warnings.length === 1 ? "a warning" : `${warnings.length} warnings`;
    return `${of}, with ${count}. Look at the seams before you use it.`;
  }
  return summary.holes > 0 ? `${of} without warnings; a few holes remain.` : `${of} without warnings.`;
}

/** Which lenses were corrected, to go on a line with other words; "" for none. */
export function lensesInWords({ reference_lens: first, target_lens: second, pictures = [] }) {
  const names = new Set([first, second, ...pictures.map(picture => picture.lens)].filter(name => name));
  return names.size ? `, lens corrected: ${[...names].join(", ")}` : "";
}

/** The first letter large, as at the start of a sentence. */
export function sentence(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
