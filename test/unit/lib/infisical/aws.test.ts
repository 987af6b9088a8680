import { proofOfIdentity } from '../../../../lib/infisical/aws';

/** Made by AWS's own signer (@smithy/signature-v4 of its SDK) for the same keys, region and time. */
test.each([
  [
    'lasting keys',
    undefined,
    'content-length;content-type;host;x-amz-date',
    'f349c66980d0ba5053b0a1b2781fc4a6c54fc095efc401dedf969de283ad8264',
  ],
  [
    'lent keys',
    'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfONaGh=',
    'content-length;content-type;host;x-amz-date;x-amz-security-token',
    '1f8e4b71f6917d8ffd99391aee870f5a19865e1360fcbb62ee7e9559d017ec5c',
  ],
])('a proof of identity with %s is the request that AWS signs itself', (_, sessionToken, signed, signature) => {
  const keys = {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    ...(sessionToken !== undefined && { sessionToken }),
  };
  const proof = proofOfIdentity(keys, 'eu-central-1', Date.parse('2026-01-31T02:00:00Z'));
  const read = (text: string) => Buffer.from(text, 'base64').toString();
  expect(proof.iamHttpRequestMethod).toBe('POST');
  expect(read(proof.iamRequestBody)).toBe('Action=GetCallerIdentity&Version=2011-06-15');
  expect(JSON.parse(read(proof.iamRequestHeaders))).toEqual({
    'Content-Length': '43',
    'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8',
    Host: 'sts.eu-central-1.amazonaws.com',
    'X-Amz-Date': '20260131T020000Z',
    ...(sessionToken !== undefined && { 'X-Amz-Security-Token': sessionToken }),
    Authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/eu-central-1/sts/aws4_request, SignedHeaders=${signed}, Signature=${signature}`,
  });
});
