// The hours of a week of each place: means, the highest of them, and who uses most when.
import { ask } from "../lib/api";

export const DAYS = 7;
export const HOURS = 24;

export interface Place {
  location: string;
  meters: string[];
  deeper: boolean;
  energy: number[]; // Wh of each of 168 hours, Monday from 0:00 first
  hours: number[]; // how many hours that were
  missing: number[]; // and of how many nothing is known
  quality: string[];
}

export interface Weeks {
  below: string; // the location whose parts these are
  from: string;
  to: string;
  places: Place[];
}

/** Ask for the places below one; where that is a single one with others below, for those. */
export async function load(below: string, from: string): Promise<Weeks> {
  const answer = await ask<Omit<Weeks, "below">>("hours", { location: below, from });
  const [only, ...others] = answer.places;
  if (below === "/" && only?.deeper && !others.length) return load(only.location, from);
  return { ...answer, below };
}

/** The mean energy of an hour of the week, Wh; null where nothing is known. */
export function mean(place: Place, cell: number): number | null {
  const hours = place.hours[cell] ?? 0;
  return hours ? (place.energy[cell] ?? 0) / hours : null;
}

/** The mean of all hours. */
export function meanOfAll(place: Place): number | null {
  const hours = sum(place.hours);
  return hours ? sum(place.energy) / hours : null;
}

export function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The highest hour of a place, and its mean. */
export function peak(place: Place): { cell: number; value: number } | null {
  let found: { cell: number; value: number } | null = null;
  for (let cell = 0; cell < DAYS * HOURS; cell++) {
    const value = mean(place, cell);
    if (value !== null && value > (found?.value ?? 0)) found = { cell, value };
  }
  return found;
}

/** Places from the highest mean down, of one hour of the week or of all; those of which nothing is known last. */
export function ranked(places: Place[], cell: number | null): { place: Place; value: number | null }[] {
  const told = places.map((place) => ({ place, value: cell === null ? meanOfAll(place) : mean(place, cell) }));
  return told.sort((a, b) => (b.value ?? -1) - (a.value ?? -1));
}
