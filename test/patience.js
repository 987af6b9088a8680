// Real servers on a busy machine take their time; how long a fact may take is asserted where it matters.
jest.setTimeout(60_000);
