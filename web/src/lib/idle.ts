// Work that may wait until the page has nothing else to do.

const WAIT_MS = 1000; // a busy page does it then, all the same

function whenIdle(work: () => void): () => void {
  if (typeof requestIdleCallback === "undefined") {
    const later = setTimeout(work); // Safari
    return () => clearTimeout(later);
  }
  const asked = requestIdleCallback(work, { timeout: WAIT_MS });
  return () => cancelIdleCallback(asked);
}

/** Do something when what is drawn now is on the screen, and there is time for it; what is returned calls it off. */
export function whenShown(work: () => void): () => void {
  const unasked = () => {
    cancelAnimationFrame(frame);
    clearTimeout(late);
  };
  const shown = () => {
    unasked();
    callOff = whenIdle(work);
  };
  let callOff = unasked;
  const frame = requestAnimationFrame(shown);
  const late = setTimeout(shown, WAIT_MS); // a page that nobody looks at is not drawn
  return () => callOff();
}
