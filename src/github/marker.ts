/** The hidden first line by which a text of ours is found again. Version 1; a later one must look for it as well. */
import type { Marker } from './client.js';

/** Everything but the state: what makes two texts the same comment. */
const identity = ({ kind, environment }: Marker): string =>
  `<!-- sallyport ${kind} v1 environment=${encodeURIComponent(environment)} `;

export const withMarker = (marker: Marker, body: string): string =>
  `${identity(marker)}state=${encodeURIComponent(marker.state)} -->\n${body}`;

/** Only the very start counts: text further down may quote a marker. */
export const carries = (marker: Marker, text: string | null | undefined): boolean =>
  text?.startsWith(identity(marker)) === true;

export const stateOf = (text: string | null | undefined): string | undefined => {
  const found = /^<!-- sallyport \w+ v1 environment=\S* state=(\S*) -->/.exec(text ?? '')?.[1];
  try {
    return found === undefined ? undefined : decodeURIComponent(found);
  } catch {
    // Somebody has edited it, and it says nothing any more.
    return undefined;
  }
};

/** GitHub keeps carriage returns from its web editor and drops blank ends. */
export const sameText = (a: string | null | undefined, b: string): boolean => plain(a ?? '') === plain(b);

const plain = (text: string): string => text.replace(/\r\n/g, '\n').trimEnd();
