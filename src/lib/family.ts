/** Address families. */
export type Family = 'v4' | 'v6';

export const FAMILIES: readonly Family[] = ['v4', 'v6'];
