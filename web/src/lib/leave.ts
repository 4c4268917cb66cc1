// The way to the login, for whoever is not known to the daemon (any more).
import { forget } from "./remember";

let leaving = false;

/** Forget what was shown and go to the login. Several answers may say so at once; the first one starts the way. */
export function leave(): void {
  forget();
  if (leaving) return;
  leaving = true;
  location.replace("/login");
}
