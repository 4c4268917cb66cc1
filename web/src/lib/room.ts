// How wide a page's content is. Whoever arranges by it and asks only when it is there lays out the page twice.
let known = { width: 0, of: 0 };

/** Measure the place of a page that is still empty; src/app.css makes it as wide as its content will be. */
export function measure(place: Element): void {
  known = { width: Math.floor(place.getBoundingClientRect().width), of: innerWidth };
}

/** Whole pixels, or 0 where they are not known. */
export function room(): number {
  return known.of === innerWidth ? known.width : 0;
}
