// The page that opens first is on its way while the app comes: else the browser learns of it only when the app has begun.
import type { Plugin } from "vite";

/** Have index.html preload the chunks of a module that is imported when it is needed. */
export function openedFirst(module: string): Plugin {
  return {
    name: "opened-first",
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle, path }) {
        if (path !== "/index.html" || !bundle) return [];
        const chunks = Object.values(bundle).filter((each) => each.type === "chunk");
        const first = chunks.find((each) => each.facadeModuleId?.endsWith(module));
        if (!first) throw new Error(`no chunk is made of ${module}`);
        const needed = [first, ...chunks.filter((each) => first.imports.includes(each.fileName))];
        const fresh = needed.map((each) => each.fileName).filter((file) => !html.includes(file));
        // Styles are not: browsers complain of those on a page that has no use for them.
        return fresh.map((file) => ({
          tag: "link",
          attrs: { rel: "modulepreload", crossorigin: true, href: `/${file}` },
          injectTo: "head" as const,
        }));
      },
    },
  };
}
