import { utils } from 'ssh2';

import { newHostKey, publicKeyOf } from '../../../../lib/host/new-host-key';
import { withHostKey } from '../../../../lib/hetzner/user-data';
import { handedKeys, partsOf } from '../../../shared/cloud-init';

const key = newHostKey();

test('a hundred host keys are whole: the private half signs what the public half verifies', () => {
  const keys = Array.from({ length: 100 }, newHostKey);
  for (const { privateKey, raw } of keys) {
    const own = utils.parseKey(privateKey);
    const known = utils.parseKey(publicKeyOf(raw));
    if (own instanceof Error || known instanceof Error) throw new Error('It cannot be read');
    const signature = own.sign('a host key signs this');
    if (signature instanceof Error) throw signature;
    expect(known.verify('a host key signs this', signature)).toBe(true);
  }
  expect(new Set(keys.map(({ raw }) => raw.toString('hex'))).size).toBe(100);
});

test('without user data the host key is all there is', () => {
  expect(partsOf(withHostKey(undefined, key))).toHaveLength(1);
  expect(handedKeys(withHostKey('', key))).toEqual({
    deletesOthers: true,
    privateKey: key.privateKey,
    publicKey: publicKeyOf(key.raw),
  });
});

const multipart = [
  'Content-Type: multipart/mixed; boundary="inner"',
  'MIME-Version: 1.0',
  '',
  '--inner',
  'Content-Type: text/x-shellscript',
  '',
  '#!/bin/sh',
  'true',
  '--inner--',
].join('\n');

test.each([
  ['a cloud-config', '#cloud-config\npackages: [curl]\nusers:\n  - name: Ünï\n'],
  ['one with line ends of Windows', '#cloud-config\r\npackages:\r\n  - curl\r\n'],
  ['a script', '#!/bin/bash\necho "--boundary" > /etc/motd\n'],
  ['a template', '## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname }}\n'],
  ['parts in MIME', multipart],
])('%s stays as it is, and the host key comes after it', (_, userData) => {
  const whole = withHostKey(userData, key);
  expect(partsOf(whole)[0]).toBe(userData);
  expect(handedKeys(whole)).toMatchObject({ deletesOthers: true, privateKey: key.privateKey });
});

test.each([
  ['packages: [curl]', 'The user data begins with nothing that cloud-init knows, so it would be ignored'],
  [' #cloud-config\npackages: [curl]', 'The user data begins with nothing that cloud-init knows'],
  [
    '#cloud-config\nssh_keys:\n  rsa_private: mine',
    'The user data brings host keys (ssh_keys), and so would the option Host Key',
  ],
])('%j is refused with a sentence', (userData, message) => {
  expect(() => withHostKey(userData, key)).toThrow(message);
});
