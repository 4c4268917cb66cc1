// An axis that ends on a round number.

const ROUND = [1, 2, 2.5, 5, 10];

/** From 0 to at least `most`, in at most `count` equal steps of round numbers. */
export function ticks(most: number, count: number): number[] {
  const rough = Math.max(most, 1) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = (ROUND.find((each) => each * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.ceil(Math.max(most, 1) / size - 1e-9) + 1 }, (_, place) => place * size);
}
