// How a page inside the frame has it spoken in another language.
import { createContext } from "svelte";

export const [useSpeak, offerSpeak] = createContext<(language: string | null) => Promise<void>>();
