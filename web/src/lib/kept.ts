// What this browser remembers. A browser that forbids storage forgets, and nothing else changes.

export function kept(key: string): string | null {
  try {
    return localStorage.getItem(`wattbook.${key}`);
  } catch {
    return null; // storage is blocked for this page
  }
}

/** Whether this was passed over in this tab; it is asked again in another one. */
export function passedOver(key: string): boolean {
  try {
    return sessionStorage.getItem(`wattbook.${key}`) !== null;
  } catch {
    return false;
  }
}

export function passOver(key: string): void {
  try {
    sessionStorage.setItem(`wattbook.${key}`, "1");
  } catch (error) {
    console.info("not remembered:", error);
  }
}

/** Remember, or forget with null. */
export function keep(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`wattbook.${key}`);
    else localStorage.setItem(`wattbook.${key}`, value);
  } catch (error) {
    console.info("not remembered:", error); // blocked, or full
  }
}
