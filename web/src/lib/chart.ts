// What the charts over time have in common: their colours, their size, their frame.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

/** A colour of the page where the chart stands; it is read when the chart is made, so a new theme makes a new chart. */
export function colour(place: Element, variable: string): string {
  return getComputedStyle(place).getPropertyValue(variable).trim();
}

/** Tell the size of a place in whole pixels, now and whenever it changes; what is returned ends that. */
export function watchSize(place: Element, tell: (width: number, height: number) => void): () => void {
  const sizes = new ResizeObserver(([entry]) => {
    tell(Math.floor(entry?.contentRect.width ?? 0), Math.floor(entry?.contentRect.height ?? 0));
  });
  sizes.observe(place);
  return () => sizes.disconnect();
}

export interface Frame {
  rem: number; // pixels: larger on a wall
  axis: uPlot.Axis; // what both axes have in common
  options: Omit<uPlot.Options, "series">; // everything but what is drawn
}

/** The frame of a chart over time. `dot`: pixels of the point under the cursor; `font`: rem of the axes' words. */
export function frame(
  place: Element,
  { width, height, zone, dot, font }: { width: number; height: number; zone: string; dot: number; font: number },
): Frame {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return {
    rem,
    axis: {
      stroke: colour(place, "--soft"),
      font: `${font * rem}px ${getComputedStyle(place).fontFamily}`,
      grid: { stroke: colour(place, "--line"), width: 1 },
      ticks: { show: false },
    },
    options: {
      width,
      height,
      padding: [0.5 * rem, 1.3 * rem, 0, 0], // half of the last time stands right of its line
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: dot } },
      tzDate: (second) => uPlot.tzDate(new Date(second * 1000), zone),
    },
  };
}
