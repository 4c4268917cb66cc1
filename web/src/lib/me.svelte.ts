// Who looks at the page, and what they may do: what they may not is not offered. The daemon refuses it all the same.
import { ask, type MeAnswer, type Role, type Scope } from "./api";

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

  /** Take what came with everything that the page shows first. */
  take(answer: MeAnswer): void {
    this.#answer = answer;
  }

  /** Ask anew, after a change of who is here or of what they may. */
  async load(): Promise<void> {
    try {
      this.#answer = await ask<MeAnswer>("me");
    } catch (error) {
      console.info("who looks is not known:", error); // asked again when the connection is back
    }
  }
}

export const me = new Me();
