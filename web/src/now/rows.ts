// How cards share the width: in rows of nearly equal numbers, each row filled from edge to edge.

const CARD_MIN_REM = 19.5;
const GAP_REM = 1;

/** How many cards stand in the row of each card: 5 cards where 4 would fit are rows of 3 and 2. */
export function inRow(cards: number, widthRem: number): number[] {
  const fit = Math.max(1, Math.floor((widthRem + GAP_REM) / (CARD_MIN_REM + GAP_REM)));
  const rows = Math.ceil(cards / fit);
  const sizes = Array.from({ length: rows }, (_, row) => Math.floor((cards + rows - 1 - row) / rows));
  return sizes.flatMap((size) => Array.from({ length: size }, () => size));
}
