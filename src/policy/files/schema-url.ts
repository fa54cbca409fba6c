/** Where editors outside this repository fetch the JSON Schemas from. */
export const SCHEMAS = 'https://raw.githubusercontent.com/sallyport/sallyport/main/schema/';
