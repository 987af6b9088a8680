import { contractOf, coverageOf, type ExchangeAnswer, type ExchangeRequest } from '../../../../lab/standins/contract';

const openApi = {
  openapi: '3.0.3',
  paths: {
    '/things': {
      get: {
        parameters: [
          { name: 'page', in: 'query', schema: { type: 'integer', minimum: 1 } },
          { name: 'kind', in: 'query', schema: { type: 'array', items: { enum: ['a', 'b'] } } },
        ],
        responses: { 200: json({ type: 'array', items: { $ref: '#/components/schemas/Thing' } }) },
      },
      post: {
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: { anyOf: [{ $ref: '#/components/schemas/Ball' }, { $ref: '#/components/schemas/Cube' }] },
            },
          },
        },
        responses: { 201: json({ $ref: '#/components/schemas/Thing' }), '4XX': json({ type: 'object' }) },
      },
    },
    '/things/first': { get: { responses: { 204: { description: '' } } } },
    '/things/{id}': {
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer' } }],
      get: { responses: { 200: json({ $ref: '#/components/schemas/Thing' }) } },
      delete: { responses: { 204: { description: '' } } },
    },
  },
  components: {
    schemas: {
      Thing: {
        type: 'object',
        required: ['id'],
        properties: { id: { type: 'integer' }, note: { type: 'string', nullable: true } },
      },
      Ball: {
        type: 'object',
        required: ['type', 'radius'],
        additionalProperties: false,
        properties: { type: { const: 'ball' }, radius: { type: 'number', minimum: 0, exclusiveMinimum: true } },
      },
      Cube: {
        type: 'object',
        required: ['type', 'edge', 'colour', 'weight'],
        additionalProperties: false,
        properties: { type: { const: 'cube' }, edge: { type: 'number' }, colour: {}, weight: {} },
      },
    },
  },
};

const swagger = {
  swagger: '2.0',
  basePath: '/v1',
  consumes: ['application/json'],
  produces: ['application/json'],
  paths: {
    '/boxes': {
      get: {
        parameters: [{ name: 'ids', in: 'query', type: 'array', items: { type: 'integer' }, collectionFormat: 'csv' }],
        responses: { 200: { schema: { $ref: '#/definitions/Box' } } },
      },
      put: {
        parameters: [{ name: 'body', in: 'body', required: true, schema: { $ref: '#/definitions/Box' } }],
        responses: { 200: { $ref: '#/responses/empty' } },
      },
    },
  },
  responses: { empty: { description: '' } },
  definitions: { Box: { type: 'object', properties: { lid: { type: 'string', 'x-nullable': true } } } },
};

function json(schema: unknown) {
  return { description: '', content: { 'application/json': { schema } } };
}

function asked(method: string, url: string, body?: unknown, type = 'application/json'): ExchangeRequest {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  return { method, url, headers: body === undefined ? {} : { 'content-type': type }, body: Buffer.from(text) };
}

function answered(status: number, body?: unknown, type = 'application/json'): ExchangeAnswer {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers: body === undefined ? {} : { 'content-type': type }, body: Buffer.from(text) };
}

test('what fits the description is no violation', () => {
  const contract = contractOf(openApi);
  contract.check(asked('GET', '/things?page=2&kind=a&kind=b'), answered(200, [{ id: 1, note: null }]));
  contract.check(asked('POST', '/things', { type: 'ball', radius: 1 }), answered(201, { id: 2 }));
  contract.check(asked('DELETE', '/things/2'), answered(204));
  expect(contract.violations).toEqual([]);
});

test.each([
  ['an unknown operation', asked('PATCH', '/things'), 'PATCH /things: the description knows no such operation'],
  ['a longer path', asked('GET', '/things/1/2'), 'GET /things/1/2: the description knows no such operation'],
  [
    'an unknown query parameter',
    asked('GET', '/things?colour=red'),
    'GET /things: the query parameter "colour" is not described',
  ],
  ['a query of the wrong type', asked('GET', '/things?page=two'), 'the query parameter "page" must be integer'],
  ['a query out of bounds', asked('GET', '/things?page=0'), 'the query parameter "page" must be integer'],
  [
    'a query given twice',
    asked('GET', '/things?page=1&page=2'),
    'GET /things: the query parameter "page" is given more than once',
  ],
  ['a wrong item of a list', asked('GET', '/things?kind=c'), 'the query parameter "kind" /0 must be ["a","b"]'],
  ['a path of the wrong type', asked('DELETE', '/things/two'), 'the path parameter "id" must be integer'],
  ['no body', asked('POST', '/things'), 'POST /things: the request has no body, and one is required'],
  ['a body too many', asked('DELETE', '/things/1', {}), 'the request has a body where none is described'],
  ['a body that is not JSON', asked('POST', '/things', '{'), 'the request body is not JSON'],
  [
    'a body of another type',
    asked('POST', '/things', 'x', 'text/plain'),
    'POST /things: the request body is of type "text/plain", described is application/json',
  ],
])('a request with %s is a violation', (_, request, expected) => {
  const contract = contractOf(openApi);
  const found = contract.checkRequest(request);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(expected);
  expect(contract.violations).toEqual(found);
});

test('of many alternatives only the one that was meant is spoken of', () => {
  const found = contractOf(openApi).checkRequest(asked('POST', '/things', { type: 'cube', edge: 'long', size: 1 }));
  expect(found).toEqual([
    "POST /things: the request body must have required property 'colour'",
    "POST /things: the request body must have required property 'weight'",
    "POST /things: the request body must not have the property 'size'",
    'POST /things: the request body /edge must be number',
  ]);
});

test('bounds that exclude themselves, as OpenAPI 3.0 writes them, are kept', () => {
  const found = contractOf(openApi).checkRequest(asked('POST', '/things', { type: 'ball', radius: 0 }));
  expect(found).toEqual(['POST /things: the request body /radius must be > 0']);
});

test('answers are held to the description too', () => {
  const contract = contractOf(openApi);
  const get = asked('GET', '/things/1');
  expect(contract.check(get, answered(500, {}))).toEqual(['GET /things/{id}: the answer 500 is not described']);
  expect(contract.check(get, answered(200, { note: 5 }))).toEqual([
    "GET /things/{id}: the body of answer 200 must have required property 'id'",
    'GET /things/{id}: the body of answer 200 /note must be string or null',
  ]);
  expect(contract.check(get, answered(200))).toEqual(['GET /things/{id}: the body of answer 200 is missing']);
  expect(contract.check(asked('DELETE', '/things/1'), answered(204, {}))).toEqual([
    'DELETE /things/{id}: the body of answer 204 is there, and the description has none',
  ]);
  expect(contract.check(asked('POST', '/things', { type: 'ball', radius: 1 }), answered(422, {}))).toEqual([]);
});

test('Swagger 2 is understood: bodies, separated lists, values that may be null, shared answers', () => {
  const contract = contractOf(swagger);
  expect(contract.check(asked('GET', '/boxes?ids=1,2'), answered(200, { lid: null }))).toEqual([]);
  expect(contract.check(asked('GET', '/boxes?ids=1,x'), answered(200, {}))).toHaveLength(1);
  expect(contract.check(asked('PUT', '/boxes', { lid: 'on' }), answered(200))).toEqual([]);
  expect(contract.checkRequest(asked('PUT', '/boxes', { lid: 1 }))).toEqual([
    'PUT /boxes: the request body /lid must be string or null',
  ]);
});

test('a literal path stands before one with a parameter, and reached operations are counted', () => {
  const contract = contractOf(openApi, swagger);
  contract.check(asked('GET', '/things/first'), answered(204));
  contract.check(asked('GET', '/things/7'), answered(200, { id: 7 }));
  contract.check(asked('GET', '/things/8'), answered(200, { id: 8 }));
  contract.check(asked('GET', '/boxes'), answered(200, {}));
  expect(Object.fromEntries(contract.reached)).toEqual({
    'GET /things/first': 1,
    'GET /things/{id}': 2,
    'GET /boxes': 1,
  });
  expect(contract.violations).toEqual([]);
});

test('the coverage names what was forgotten, and reasons that are no longer true', () => {
  const contract = contractOf(openApi);
  contract.check(asked('GET', '/things/first'), answered(204));
  expect(
    coverageOf(contract, { 'GET /things/first': 'unused', 'DELETE /things/{id}': 'unused', 'GET /gone': 'unused' }),
  ).toEqual({
    reached: ['GET /things/first'],
    forgotten: ['GET /things', 'GET /things/{id}', 'POST /things'],
    reachedAnyway: ['GET /things/first'],
    unknown: ['GET /gone'],
  });
});
