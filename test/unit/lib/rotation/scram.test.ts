import { scramVerifier } from '../../../../lib/rotation/owners/scram';

test('a verifier has the form and the keys that SCRAM-SHA-256 gives this password and salt', () => {
  // Password, salt and rounds of the example in RFC 7677. That the server takes it is shown in test/integration.
  expect(scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'))).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
});
