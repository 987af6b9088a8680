/** A stack with one service, whose health is a file of the repository. Its data directory must never move. */
export function shop(
  change: { readonly image?: string; readonly port?: string; readonly data?: string; readonly round?: number } = {},
): string {
  return `
services:
  web:
    image: ${change.image ?? 'tiny:1'}
    command: httpd -f -h /site
    environment: { SECRET: "\${SECRET}", ROUND: "${change.round ?? 1}" }
    ports: [ "${change.port ?? '18090:80'}" ]
    volumes: [ "${change.data ?? './data'}:/data", "./site:/site:ro" ]
    stop_grace_period: 0s
    healthcheck: { test: ["CMD", "test", "-f", "/site/ok"], interval: 200ms, timeout: 5s, retries: 2 }
`;
}

/** Where its image is in no registry. */
export const shopOfHere: typeof shop = (change) =>
  shop(change).replace('    command: httpd', '    pull_policy: never\n    command: httpd');
