// What the house's energy cost today, and yesterday up to the same time of the day.
import { ask } from "../lib/api";
import { type Day, sameTimeYesterday } from "../lib/today";

export interface Cost extends Day {
  currency: string;
  doubt: "" | "estimated" | "missing"; // the worst of what today's amount comes from
}

interface Total {
  amount: string | null; // exact decimal text; a picture may be a float's distance from it
  quality: "measured" | "spread" | "estimated" | "missing";
  missing_s?: number; // of the time nothing is known
}
interface Answer {
  currency: string;
  costs: { total: Total }[];
}

/** Ask for the sum of these meters; null where nothing is known of it. */
export async function askCost(meters: string[], now: number, zone: string): Promise<Cost | null> {
  const question = { meter: meters, sum: "true" };
  const today = await ask<Answer>("cost", { ...question, from: "today" });
  const yesterday = await ask<Answer>("cost", { ...question, from: "yesterday", to: sameTimeYesterday(now, zone) });
  const total = today.costs[0]?.total;
  if (!total || total.amount === null) return null;
  return {
    currency: today.currency,
    today: amount(total),
    yesterday: today.currency === yesterday.currency ? amount(yesterday.costs[0]?.total) : null,
    doubt: total.missing_s ? "missing" : total.quality === "estimated" ? "estimated" : "",
  };
}

function amount(total: Total | undefined): number | null {
  return total?.amount == null ? null : Number(total.amount);
}
