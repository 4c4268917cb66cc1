// The colour of each part of a bar, as a variable of the style sheet.
import type { Part } from "./load";

const COLOURS = 8; // of parts.css

export function colour(part: Part, place: number): string {
  return part.source ? `var(--${part.source})` : `var(--part-${place % COLOURS})`;
}
