// The page itself, kept by the browser so that it opens without the daemon. Values are kept by lib/remember.ts.

/** Hand the page to the service worker, after everything that is on the screen has come. */
export function keepShell(): void {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return; // plain http from afar: the page works without
  if (document.readyState === "complete") void register();
  else addEventListener("load", () => void register(), { once: true });
}

async function register(): Promise<void> {
  const script = document.querySelector<HTMLScriptElement>('script[type="module"]')?.src ?? "";
  const build = new URL(script, location.href).pathname; // its name changes with every build
  try {
    await navigator.serviceWorker.register(`/worker.js?${encodeURIComponent(build)}`);
    const { active } = await navigator.serviceWorker.ready;
    active?.postMessage(performance.getEntriesByType("resource").map((entry) => entry.name));
  } catch (error) {
    console.info("the page is not kept for offline:", error); // a private window, or storage is blocked
  }
}
