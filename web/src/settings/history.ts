// What was changed, in words: an event's kind has a text of its own, or is told as it is.
import { type Key, t } from "../lib/i18n";
import type { Role } from "../lib/api";

export interface Change {
  number: number;
  at: string;
  kind: string;
  subject: string;
  who: string;
  body: Record<string, string | number | boolean>;
}

export interface Changes {
  changes: Change[];
  before: number | null; // what to ask with for older ones
}

const TOLD = {
  "user.added": "audit.user.added",
  "user.removed": "audit.user.removed",
  "user.role": "audit.user.role",
  "user.password": "audit.user.password",
  "user.login": "audit.user.login",
  "token.created": "audit.token.created",
  "token.revoked": "audit.token.revoked",
  "sink.paused": "audit.sink.paused",
  "sink.resumed": "audit.sink.resumed",
  "sink.replayed": "audit.sink.replayed",
  "alert.muted": "audit.alert.muted",
  "alert.unmuted": "audit.alert.unmuted",
  "alert.tested": "audit.alert.tested",
  "configuration.changed": "audit.configuration.changed",
  "configuration.applied": "audit.configuration.applied",
} as const satisfies Record<string, Key>;

const LIVES = {
  installed: "meter.life_installed",
  replaced: "meter.life_replaced",
  reset: "meter.life_reset",
  rollover: "meter.life_rollover",
  ratio: "meter.life_ratio",
  rewired: "meter.life_rewired",
  moved: "meter.life_moved",
  undone: "meter.life_undone",
  corrected: "meter.life_corrected",
  accepted: "meter.life_accepted",
  dropped: "meter.life_dropped",
} as const satisfies Record<string, Key>;

export function changeWords({ kind, subject, body }: Change): string {
  const known = TOLD[kind as keyof typeof TOLD];
  const table = typeof body.table === "string" && body.table !== subject ? `${body.table} ` : "";
  const role = typeof body.role === "string" ? t(`role.${body.role as Role}`) : "";
  if (known) return t(known, { subject: table + subject, role });
  const life = LIVES[kind.replace(/^meter\./, "") as keyof typeof LIVES];
  return t("audit.meter", { subject: subject || kind, what: life ? t(life) : kind });
}
