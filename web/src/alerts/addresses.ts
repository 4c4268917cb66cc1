// Addresses as apprise writes them, put together of what people know: a mail server, a topic, a bot, a web address.
import type { Key } from "../lib/i18n";

export interface Part {
  name: string;
  label: Key;
  example: string;
  optional?: boolean;
  secret?: boolean;
}

type Parts = Record<string, string>;

interface Service {
  parts: Part[];
  url: (parts: Parts) => string;
}

const encoded = (text = "") => encodeURIComponent(text.trim());
const IMPLICIT_TLS_PORT = "465"; // RFC 8314, 3.3

export const SERVICES = {
  mail: {
    parts: [
      { name: "to", label: "alerts.part_to", example: "anna@example.org" },
      { name: "server", label: "alerts.part_server", example: "mail.example.org" },
      { name: "port", label: "alerts.part_port", example: "587", optional: true },
      { name: "user", label: "alerts.part_user", example: "wattbook@example.org" },
      { name: "password", label: "alerts.part_password", example: "", secret: true },
      { name: "from", label: "alerts.part_from", example: "wattbook@example.org", optional: true },
    ],
    url: mailUrl,
  },
  ntfy: {
    parts: [
      { name: "topic", label: "alerts.part_topic", example: "my-house" },
      { name: "server", label: "alerts.part_ntfy_server", example: "ntfy.sh", optional: true },
    ],
    url: ({ topic, server }) => (server?.trim() ? `ntfys://${server.trim()}/${encoded(topic)}` : `ntfy://${encoded(topic)}`),
  },
  telegram: {
    parts: [
      { name: "bot", label: "alerts.part_bot", example: "123456789:AAF…", secret: true },
      { name: "chat", label: "alerts.part_chat", example: "12315544" },
    ],
    url: ({ bot, chat }) => `tgram://${(bot ?? "").trim()}/${encoded(chat)}`,
  },
  webhook: {
    parts: [{ name: "address", label: "alerts.part_address", example: "https://example.org/hook" }],
    url: ({ address = "" }) => address.trim().replace(/^http(s?):\/\//, "json$1://"),
  },
  other: {
    parts: [{ name: "url", label: "alerts.part_url", example: "matrixs://…" }],
    url: ({ url = "" }) => url.trim(),
  },
} as const satisfies Record<string, Service>;
export type ServiceName = keyof typeof SERVICES;
export const SERVICE_NAMES = Object.keys(SERVICES) as ServiceName[];

function mailUrl({ to, server = "", port = "", user, password, from }: Parts): string {
  const host = server.trim() + (port.trim() ? `:${port.trim()}` : "");
  const mode = port.trim() === IMPLICIT_TLS_PORT ? "ssl" : "starttls";
  const sender = encoded(from?.trim() ? from : user);
  return `mailtos://${encoded(user)}:${encoded(password)}@${host}?smtp=${server.trim()}&mode=${mode}&from=${sender}&to=${encoded(to)}`;
}

/** The address, or "" while a part that is needed is missing. */
export function addressOf(service: ServiceName, parts: Parts): string {
  const { parts: asked, url }: Service = SERVICES[service];
  return asked.every((part) => part.optional || parts[part.name]?.trim()) ? url(parts) : "";
}
