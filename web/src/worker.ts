/// <reference lib="webworker" />
// The service worker: keeps the page itself, so that it opens while the daemon or the network is away. It never answers
// for the API: what is old must not look as if it came now (lib/remember.ts keeps the last values, and says how old).
export {};
declare const self: ServiceWorkerGlobalScope;

const CACHE = `page${self.location.search}`; // lib/shell.ts names the build there
const PAGE = "/";
const SHELL: readonly string[] = [PAGE, "/icon.svg", "/icon-192.png", "/manifest.webmanifest"];
const ASSETS = "/assets/";
const WAIT_MS = 5000; // a network that swallows everything is as good as none
const FILES_MAX = 200; // of one build; ours has some dozens

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll([...SHELL]))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

self.addEventListener("message", (event: ExtendableMessageEvent) => {
  event.waitUntil(keepUsed((event.data as string[]).slice(0, FILES_MAX)));
});

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== self.location.origin) return;
  if (SHELL.includes(pathname)) event.respondWith(fresh(event.request));
  else if (pathname.startsWith(ASSETS)) event.respondWith(lasting(event.request));
});

async function forgetOthers(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
}

/** What the page had loaded before this worker was there. */
async function keepUsed(addresses: string[]): Promise<void> {
  const assets = addresses.filter((each) => each.startsWith(self.location.origin + ASSETS));
  await Promise.all(assets.map((each) => lasting(new Request(each))));
}

/** From the daemon, or as it was when this build came. */
async function fresh(request: Request): Promise<Response> {
  try {
    return await fetch(request, { signal: AbortSignal.timeout(WAIT_MS) });
  } catch (error) {
    const known = await caches.match(request, { ignoreSearch: true });
    if (known) return known;
    throw error;
  }
}

/** A name of an asset changes with its content: what is known is right. */
async function lasting(request: Request): Promise<Response> {
  const known = await caches.match(request);
  if (known) return known;
  const answer = await fetch(request);
  if (answer.ok) await (await caches.open(CACHE)).put(request, answer.clone());
  return answer;
}
