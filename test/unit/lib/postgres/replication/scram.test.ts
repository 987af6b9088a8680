import { isVerifierOf, scramVerifier } from '../../../../../lib/postgres/replication/scram';

describe('the verifier of a password', () => {
  it('is what PostgreSQL 15 itself makes of this password, salt and count', async () => {
    const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
    expect(await scramVerifier('pencil', salt, 4096)).toBe(
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    );
  });

  it('is recognised whatever its salt, and another password is not', async () => {
    const verifier = await scramVerifier('correct horse');
    expect(await isVerifierOf('correct horse', verifier)).toBe(true);
    expect(await isVerifierOf('correct-horse', verifier)).toBe(false);
    expect(await isVerifierOf('correct horse', 'md5d41d8cd98f00b204e9800998ecf8427e')).toBe(false);
  });
});
