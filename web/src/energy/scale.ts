// An axis that ends on a round number.

const ROUND = [1, 2, 2.5, 5, 10];

/** From 0, or from `least` where that is below, to at least `most`: some `count` equal steps of round numbers, 0 at one. */
export function ticks(most: number, count: number, least = 0): number[] {
  const high = least < 0 ? most : Math.max(most, 1);
  const rough = Math.max(high - least, 1) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = (ROUND.find((each) => each * power >= rough) ?? 10) * power;
  const [below, above] = [-least, high].map((end) => Math.ceil(end / size - 1e-9)) as [number, number];
  return Array.from({ length: Math.max(below + above, 1) + 1 }, (_, place) => (place - below) * size);
}
