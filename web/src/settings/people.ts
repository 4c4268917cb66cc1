// Users and tokens as the daemon tells them.
import type { Role, Scope } from "../lib/api";

export interface User {
  name: string;
  role: Role;
  since: string;
}

export interface Token {
  name: string;
  scopes: Scope[];
  since: string;
  until: string | null;
  by: string;
}

export const ROLES = ["viewer", "operator", "admin"] as const satisfies Role[];
export const SCOPES = ["read", "metrics", "push", "operate", "configure", "users"] as const satisfies Scope[];
export const LIVES_DAYS = [30, 90, 365, null] as const; // null: until it is revoked
