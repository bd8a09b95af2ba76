import type { ThingDescription } from '@liquefy/client'
import { registryAudience } from '@liquefy/protocol'
import type { ThingInput } from './thing-input.ts'

/** What a node is, to whoever knows its address only (W3C WoT Discovery, well-known URI): a directory of Thing Descriptions, to be read. */
export function thingDirectory({
  deployment: { chainId, registry },
  origin,
}: Pick<ThingInput, 'deployment' | 'origin'>): ThingDescription {
  return {
    '@context': [
      'https://www.w3.org/2022/wot/td/v1.1',
      'https://www.w3.org/2022/wot/discovery',
      { '@language': 'en' },
    ],
    '@type': ['Thing', 'ThingDirectory'],
    id: `urn:caip-19:${registryAudience(chainId, registry)}`,
    title: 'Machines of a Liquefy node',
    base: `${origin}/`,
    security: 'nosec_sc',
    securityDefinitions: { nosec_sc: { scheme: 'nosec' } },
    properties: {
      things: {
        title:
          'Thing Descriptions of all machines, a page at a time; the header Link names the next',
        type: 'array',
        items: { type: 'object' },
        uriVariables: {
          offset: { type: 'integer', minimum: 0 },
          limit: { type: 'integer', minimum: 1, maximum: 50 },
        },
        readOnly: true,
        observable: false,
        forms: [
          {
            href: '/v1/things{?offset,limit}',
            op: 'readproperty',
            contentType: 'application/ld+json',
            'htv:methodName': 'GET',
          },
        ],
      },
    },
  }
}
