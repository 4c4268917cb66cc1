export function meterPath(name: string): string {
  return `meters/${encodeURIComponent(name)}`;
}
