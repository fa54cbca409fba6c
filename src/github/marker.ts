/** The hidden first line that identifies a text of ours. Version 1; a later version must recognise it as well. */
import type { Marker } from './client.js';

/** Everything but the state: texts with the same identity are versions of one comment. */
const identity = ({ kind, environment }: Marker): string =>
  `<!-- sallyport ${kind} v1 environment=${encodeURIComponent(environment)} `;

/** The text with the marker as its first line. */
export const withMarker = (marker: Marker, body: string): string =>
  `${identity(marker)}state=${encodeURIComponent(marker.state)} -->\n${body}`;

/** Whether the text begins with this marker, whatever its state; text further down may quote a marker. */
export const hasMarker = (marker: Marker, text: string | null | undefined): boolean =>
  text?.startsWith(identity(marker)) === true;

/** The state in the marker of a text; `undefined` without a marker, or with one that was edited. */
export const stateOf = (text: string | null | undefined): string | undefined => {
  const found = /^<!-- sallyport \w+ v1 environment=\S* state=(\S*) -->/.exec(text ?? '')?.[1];
  try {
    return found === undefined ? undefined : decodeURIComponent(found);
  } catch {
    return undefined;
  }
};

/** Equality of texts, for GitHub: it keeps carriage returns of its web editor and drops trailing blanks. */
export const sameText = (a: string | null | undefined, b: string): boolean => plain(a ?? '') === plain(b);

const plain = (text: string): string => text.replace(/\r\n/g, '\n').trimEnd();
