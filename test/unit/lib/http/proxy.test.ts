import { routeTo } from '../../../../lib/http/proxy';

const kindOf = (url: string, environment: Record<string, string>) => routeTo(new URL(url), environment).kind;
const both = { HTTP_PROXY: 'http://proxy.test:3128', HTTPS_PROXY: 'http://proxy.test:3128' };

test('without variables everything goes straight', () => {
  expect(routeTo(new URL('https://api.test'), {})).toEqual({ kind: 'direct' });
});

test('https goes through a tunnel, http is handed over', () => {
  expect(routeTo(new URL('https://api.test'), { HTTPS_PROXY: 'http://u:p%40ss@proxy.test:3128' })).toEqual({
    kind: 'tunnel',
    proxy: { protocol: 'http:', host: 'proxy.test', port: 3128, user: 'u', password: 'p@ss' },
  });
  expect(routeTo(new URL('http://api.test'), { http_proxy: 'proxy.test' })).toEqual({
    kind: 'forward',
    proxy: { protocol: 'http:', host: 'proxy.test', port: 80 },
  });
});

test('lower case wins, and ALL_PROXY stands in for both', () => {
  expect(routeTo(new URL('https://api.test'), { https_proxy: 'a.test', HTTPS_PROXY: 'b.test' })).toMatchObject({
    proxy: { host: 'a.test' },
  });
  expect(kindOf('https://api.test', { ALL_PROXY: 'https://proxy.test' })).toBe('tunnel');
  expect(kindOf('https://api.test', { HTTP_PROXY: 'http://proxy.test' })).toBe('direct');
});

test.each<[string, string, 'direct' | 'tunnel']>([
  ['*', 'https://api.test', 'direct'],
  ['api.test', 'https://api.test', 'direct'],
  ['API.test', 'https://api.test', 'direct'],
  ['test', 'https://api.test', 'direct'],
  ['pi.test', 'https://api.test', 'tunnel'],
  ['.example.org', 'https://a.example.org', 'direct'],
  ['*.example.org', 'https://a.b.example.org', 'direct'],
  ['.example.org', 'https://badexample.org', 'tunnel'],
  ['other.test, api.test', 'https://api.test', 'direct'],
  ['api.test:443', 'https://api.test', 'direct'],
  ['api.test:8443', 'https://api.test', 'tunnel'],
  ['api.test:8443', 'https://api.test:8443', 'direct'],
  ['10.0.0.7', 'https://10.0.0.7', 'direct'],
  ['10.0.0.0/8', 'https://10.200.3.4', 'direct'],
  ['10.0.0.0/8', 'https://11.0.0.1', 'tunnel'],
  ['0.0.7', 'https://10.0.0.7', 'tunnel'],
  ['fd00::/8', 'https://[fd12::1]', 'direct'],
  ['[fd12::1]:443', 'https://[fd12::1]', 'direct'],
  ['fd12::2', 'https://[fd12::1]', 'tunnel'],
  ['10.0.0.0/99', 'https://10.0.0.1', 'tunnel'],
  ['', 'https://127.0.0.1:5678', 'direct'],
  ['', 'https://localhost', 'direct'],
  ['', 'https://[::1]', 'direct'],
])('NO_PROXY=%s makes %s go %s', (noProxy, url, expected) => {
  expect(kindOf(url, { ...both, NO_PROXY: noProxy })).toBe(expected);
});

test.each(['socks5://proxy.test:1080', 'http://'])('a proxy like %s is refused, without showing it', (proxy) => {
  expect(() => routeTo(new URL('https://api.test'), { HTTPS_PROXY: proxy })).toThrow(
    expect.objectContaining({ code: 'invalid_proxy', message: expect.not.stringContaining(proxy) }),
  );
});
