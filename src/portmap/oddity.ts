/** What a router, or somebody in its place, does that it should not. Data; others have the words. */
export type Oddity =
  /** It leads to another host, which is not asked. `router`: the router itself answers there too, so that it is another address of its own. */
  | { readonly kind: 'elsewhere'; readonly host: string; readonly router: boolean }
  /** Somebody who is not the router answered in its place, and was not believed. */
  | { readonly kind: 'strangers'; readonly count: number; readonly first: string }
  /** Its description or an answer could not be used. `words`: why. */
  | { readonly kind: 'unusable'; readonly words: string };
