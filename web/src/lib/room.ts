// How wide a page's content is. Whoever arranges by it and asks only when it is there lays out the page twice.
let known = 0;

/** Measure the place of a page that is still empty; src/app.css makes it as wide as its content will be. */
export function measure(place: Element): void {
  known = place.clientWidth;
}

/** Pixels, or 0 while they are not known. */
export function room(): number {
  return known;
}
