/** A machine as other systems read it: a W3C WoT Thing Description 1.1, and an Asset Administration Shell (IDTA 01001-3-0). */

/** A WoT Thing Description 1.1, as far as it is read here. */
export interface ThingDescription {
  '@context': (string | Record<string, string>)[]
  '@type'?: string | string[]
  /** The machine's, wherever it is described. */
  id: string
  title: string
  description?: string
  version?: { instance: string }
  base: string
  security: string | string[]
  securityDefinitions: Record<string, { scheme: string; [term: string]: unknown }>
  links?: ThingLink[]
  properties?: Record<string, PropertyAffordance>
  actions?: Record<string, ActionAffordance>
  events?: Record<string, EventAffordance>
}

export interface ThingLink {
  href: string
  rel: string
  type?: string
}

/** What data looks like: the part of JSON Schema that the standard knows. */
export interface DataSchema {
  title?: string
  description?: string
  type?: 'boolean' | 'integer' | 'number' | 'string' | 'object' | 'array' | 'null'
  /** UCUM if it has the unit, else as the machine names it. */
  unit?: string
  /** Only where `unit` is a code of UCUM. */
  'qudt:ucumCode'?: string
  properties?: Record<string, DataSchema>
  required?: string[]
  items?: DataSchema
  oneOf?: DataSchema[]
  enum?: unknown[]
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  contentEncoding?: string
  contentMediaType?: string
}

/** How one thing is asked, of `href`, which `base` completes. */
export interface ThingForm {
  href: string
  op: string | string[]
  contentType: string
  subprotocol?: string
  /** Another than the whole description's. */
  security?: string | string[]
  response?: { contentType: string }
  'htv:methodName'?: string
  'mqv:controlPacket'?: string
  'mqv:topic'?: string
  'mqv:filter'?: string
  'mqv:qos'?: string
}

export interface PropertyAffordance extends DataSchema {
  readOnly: boolean
  observable: boolean
  uriVariables?: Record<string, DataSchema>
  forms: ThingForm[]
}

export interface ActionAffordance {
  title?: string
  description?: string
  input?: DataSchema
  output?: DataSchema
  safe: boolean
  idempotent: boolean
  forms: ThingForm[]
}

export interface EventAffordance {
  title?: string
  description?: string
  data?: DataSchema
  forms: ThingForm[]
}

/** An environment of the Asset Administration Shell, metamodel 3.0, in JSON: one shell, its submodels, what their values mean. */
export interface ShellEnvironment {
  assetAdministrationShells: AasElement[]
  submodels: AasElement[]
  conceptDescriptions?: AasElement[]
}

/** An element of the metamodel. */
export interface AasElement {
  modelType: string
  idShort?: string
  id?: string
  [attribute: string]: unknown
}
