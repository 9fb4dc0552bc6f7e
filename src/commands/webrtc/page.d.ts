/** What `.ci/page.mjs` puts in: text. */
declare module '*.html' {
  const text: string;
  export default text;
}
declare module '*.css' {
  const text: string;
  export default text;
}
declare module '*.script' {
  const text: string;
  export default text;
}
