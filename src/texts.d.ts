/** Files that the bundler (and the test transform) hand over as text. */
declare module '*.sh' {
  const text: string;
  export default text;
}
declare module '*.css' {
  const text: string;
  export default text;
}
declare module '*.yml' {
  const text: string;
  export default text;
}
