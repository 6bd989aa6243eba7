/**
 * Whether a page of this origin may open a WebSocket: browsers let every page open one to every
 * host, so the server must look (SEC-007). Programs send no origin and are allowed.
 *
 * Source: RFC 6455 10.2; RFC 6454 for the origin's form.
 */
export function isOriginAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (origin === undefined) return true;
  if (allowed.includes(origin)) return true;
  const page = URL.parse(origin);
  // A page from a file has no host, and must not be like a request that names none.
  if (page === null || page.host === "" || host === undefined) return false;
  // Read with the page's scheme, so that a default port that only one of them writes is no difference.
  return page.host === URL.parse(`${page.protocol}//${host}`)?.host;
}
