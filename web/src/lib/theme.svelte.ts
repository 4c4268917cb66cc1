// Light or dark: as the system has it, or as was chosen here. Charts read `theme.dark` to be drawn again.
import { keep, kept } from "./kept";

export const CHOICES = ["auto", "light", "dark"] as const;
export type Choice = (typeof CHOICES)[number];

const PAPER = { light: "#f4f6f8", dark: "#0d1217" }; // --paper of app.css, for the browser's own bars

class Theme {
  choice = $state<Choice>(CHOICES.find((each) => each === kept("theme")) ?? "auto");
  #system = matchMedia("(prefers-color-scheme: dark)");
  #systemDark = $state(this.#system.matches);

  constructor() {
    this.#system.addEventListener("change", () => {
      this.#systemDark = this.#system.matches;
      this.#apply();
    });
    this.#apply();
  }

  get dark(): boolean {
    return this.choice === "auto" ? this.#systemDark : this.choice === "dark";
  }

  choose(choice: Choice): void {
    this.choice = choice;
    keep("theme", choice === "auto" ? null : choice);
    this.#apply();
  }

  #apply(): void {
    const name = this.dark ? "dark" : "light";
    document.documentElement.dataset.theme = name;
    for (const meta of document.querySelectorAll('meta[name="theme-color"]')) meta.setAttribute("content", PAPER[name]);
  }
}

export const theme = new Theme();
