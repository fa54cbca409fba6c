/** What differs in each of the three places that the rules of a host live in. */
export const DRIFT_PLACES = [
  { key: 'live', title: 'In the kernel now' },
  { key: 'saved', title: 'In the saved file' },
  { key: 'boot', title: 'At the next boot' },
] as const;
