// Locations as the daemon understands them: whole parts between slashes, "/" is everywhere.

export function parts(location: string): string[] {
  return location
    .split("/")
    .map((part) => part.trim())
    .filter(Boolean);
}

export function atOrBelow(place: string, location: string): boolean {
  const own = parts(place);
  return parts(location).every((part, depth) => own[depth] === part);
}

/** The locations one level below another, or it itself where nothing is below it. */
export function children(places: string[], below: string): string[] {
  const depth = parts(below).length;
  const deeper = places.filter((place) => atOrBelow(place, below) && parts(place).length > depth);
  const found = [...new Set(deeper.map((place) => parts(place).slice(0, depth + 1).join("/")))];
  return found.length || !depth ? found : [parts(below).join("/")];
}

/** The uppermost level with more than one location: a house is not compared with nothing. */
export function uppermost(places: string[]): string {
  let below = "/";
  for (;;) {
    const [only, ...others] = children(places, below);
    if (only === undefined || others.length || only === parts(below).join("/")) return below;
    if (children(places, only)[0] === only) return below;
    below = only;
  }
}
