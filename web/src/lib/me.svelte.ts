// Who looks at the page, and what they may do: what they may not is not offered. The daemon refuses it all the same.
import { ask } from "./api";

export type Scope = "read" | "metrics" | "push" | "operate" | "configure" | "users";
export type Role = "viewer" | "operator" | "admin";

/** GET /api/v1/me as the daemon answers it. */
export interface MeAnswer {
  name: string;
  kind: "user" | "token" | "local" | "open" | "none"; // open: this machine, before a password is set
  role: Role | null;
  scopes: Scope[];
  password_set: boolean;
  may_set_password: boolean; // here, on wattbook's own machine, while nobody has one
  encrypted: boolean;
}

class Me {
  #answer = $state.raw<MeAnswer | null>(null); // null: not asked yet, or nobody could be asked

  get known(): boolean {
    return this.#answer !== null;
  }
  get name(): string {
    return this.#answer?.name ?? "";
  }
  get kind(): MeAnswer["kind"] {
    return this.#answer?.kind ?? "none";
  }
  get role(): Role | null {
    return this.#answer?.role ?? null;
  }
  get scopes(): Scope[] {
    return this.#answer?.scopes ?? [];
  }
  get passwordSet(): boolean {
    return this.#answer?.password_set ?? true;
  }
  get maySetPassword(): boolean {
    return this.#answer?.may_set_password ?? false;
  }
  get encrypted(): boolean {
    return this.#answer?.encrypted ?? true;
  }

  /** Whether this is allowed. Until the daemon said so, nothing is. */
  may(scope: Scope): boolean {
    return this.scopes.includes(scope);
  }

  /** Ask anew: when the page begins, and after a change of who is here or of what they may. */
  async load(): Promise<void> {
    try {
      this.#answer = await ask<MeAnswer>("me");
    } catch (error) {
      console.info("who looks is not known:", error); // asked again when the connection is back
    }
  }
}

export const me = new Me();
