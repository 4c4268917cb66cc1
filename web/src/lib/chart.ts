// What the charts over time have in common: their colours, their size, their frame.
import type uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { zoneDate } from "./intl";
import { theme } from "./theme.svelte";

// Asking for a style lays out all that has changed before, and a page of charts would do that for each of them.
let style = { of: "", values: new Map<string, string>() };

/** A style of the page, asked for once in a theme and a size of the window. */
function styleOf(name: string): string {
  const of = `${theme.dark} ${innerWidth} ${devicePixelRatio}`;
  if (style.of !== of) style = { of, values: new Map() };
  const place = name === "font-size" ? document.documentElement : document.body; // a rem is the root's
  const known = style.values.get(name) ?? getComputedStyle(place).getPropertyValue(name).trim();
  style.values.set(name, known);
  return known;
}

/** A colour of the page; it is read when the chart is made, so a new theme makes a new chart. */
export function colour(variable: string): string {
  return styleOf(variable);
}

const NEAR = 0.1; // of a window's height, above and below it

interface Seen {
  width: number; // whole pixels
  height: number;
  near: boolean; // in the window, or nearly
}

// One for all places: what is told of one changes the page, and would have it laid out anew before the next is asked for.
const watched = new Map<Element, (seen: Seen) => void>();
const sizes = new ResizeObserver((entries) => {
  const seen = entries.map(({ target, contentRect: { width, height } }) => {
    const { top, bottom } = target.getBoundingClientRect();
    const near = bottom > top && top < (1 + NEAR) * innerHeight && bottom > -NEAR * innerHeight;
    return { target, width: Math.floor(width), height: Math.floor(height), near };
  });
  for (const each of seen) watched.get(each.target)?.(each);
});

/** Tell one who asks how large a place is and whether it is near, now and whenever its size changes; what is returned
 * ends that. */
export function watchSize(place: Element, tell: (seen: Seen) => void): () => void {
  watched.set(place, tell);
  sizes.observe(place);
  return () => {
    sizes.unobserve(place);
    watched.delete(place);
  };
}

/** The least and the greatest of values that are known, or null where fewer than two are. */
export function extent(values: readonly (number | null)[]): [number, number] | null {
  let [low, high, known] = [Infinity, -Infinity, 0];
  for (const value of values) {
    if (value === null) continue;
    known++;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return known > 1 ? [low, high] : null;
}

/** The pixels of a rem, larger on a wall. What is computed from it follows the width that it is asked for with. */
export function remIn(_width: number): number {
  return parseFloat(styleOf("font-size"));
}

/** Tell when a place comes near the window, once: what is far below costs nothing before. What is returned ends that. */
export function whenNear(place: Element, tell: () => void): () => void {
  const comes = (seen: IntersectionObserverEntry[]) => {
    if (!seen.some((each) => each.isIntersecting)) return;
    watch.disconnect();
    tell();
  };
  const watch = new IntersectionObserver(comes, { rootMargin: `${NEAR * 100}% 0px` });
  watch.observe(place);
  return () => watch.disconnect();
}

export interface Frame {
  rem: number; // pixels: larger on a wall
  axis: uPlot.Axis; // what both axes have in common
  options: Omit<uPlot.Options, "series">; // everything but what is drawn
}

/** The frame of a chart over time. `dot`: pixels of the point under the cursor; `font`: rem of the axes' words. */
export function frame(
  { width, height, zone, dot, font }: { width: number; height: number; zone: string; dot: number; font: number },
): Frame {
  const rem = remIn(width);
  return {
    rem,
    axis: {
      stroke: colour("--soft"),
      font: `${font * rem}px ${styleOf("font-family")}`,
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    },
    options: {
      width,
      height,
      padding: [0.5 * rem, 1.3 * rem, 0, 0], // half of the last time stands right of its line
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: dot } },
      tzDate: (second) => zoneDate(second * 1000, zone),
    },
  };
}
