// What an address says behind its page.

/** "#/alerts/rule/over%205%20kW?from=now" -> ["rule", "over 5 kW"]. */
export function partsOf(hash: string): string[] {
  const [path = ""] = hash.split("?");
  return path.split("/").slice(2).map(decoded);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // an address that somebody typed
  }
}
