// A real n8n takes its time; each wait has its own, shorter deadline.
jest.setTimeout(180_000);
