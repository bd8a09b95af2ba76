import type { AasElement } from '@liquefy/client'
import {
  collection,
  english,
  external,
  idShortOf,
  property,
  words,
  xmlText,
} from './aas-elements.ts'
import { unitOf, type ValueField } from './newest-value.ts'
import type { ThingInput, ThingStream } from './thing-input.ts'

const TIME_SERIES = 'https://admin-shell.io/idta/TimeSeries'
const IEC_61360 = 'https://admin-shell.io/DataSpecificationTemplates/DataSpecificationIec61360/3'
const VALUE_TYPES = {
  decimal: 'xs:decimal',
  float: 'xs:double',
  string: 'xs:string',
  boolean: 'xs:boolean',
} as const
/** The longest preferred name that the metamodel takes. */
const NAME_CHARACTERS = 255

/** A field of a stream under names that are unique in the machine. */
interface NamedField extends ValueField {
  stream: string
  idShort: string
  /** Id of the concept description that says what it is. */
  conceptId: string
}

/**
 * The submodel Time Series Data (IDTA 02008-1-1): one linked segment a stream, with the address that answers its readings; and the concept
 * descriptions (IEC 61360) that say in which unit each is.
 */
export function timeSeries(
  id: string,
  conceptsUnder: string,
  { machine, streams, origin }: ThingInput,
): { submodel: AasElement; concepts: AasElement[] } {
  const fields = streams.flatMap((stream) => namedFields(conceptsUnder, stream))
  const submodel = {
    modelType: 'Submodel',
    id,
    idShort: 'TimeSeries',
    kind: 'Instance',
    administration: { version: '1', revision: '1' },
    semanticId: external(`${TIME_SERIES}/1/1`),
    submodelElements: [
      collection('Metadata', { id: `${TIME_SERIES}/Metadata/1/1` }, [
        words('Name', { id: `${TIME_SERIES}/Metadata/Name/1/1` }, `Readings of ${machine.name}`),
        words(
          'Description',
          { id: `${TIME_SERIES}/Metadata/Description/1/1` },
          'Signed by the machine, chained and logged. A record has the time and what one stream measures then.',
        ),
        collection('Record', { id: `${TIME_SERIES}/Record/1/1` }, [
          property('Time', { id: `${TIME_SERIES}/UtcTime/1/1` }, 'xs:dateTime'),
          ...fields.map(({ idShort, conceptId, kind }) =>
            property(idShort, { id: conceptId }, VALUE_TYPES[kind]),
          ),
        ]),
      ]),
      collection(
        'Segments',
        { id: `${TIME_SERIES}/Segments/1/1` },
        streams.map((stream) => linkedSegment(stream, machine.machineId, origin)),
      ),
    ],
  }
  return { submodel, concepts: fields.map(conceptDescription) }
}

function linkedSegment(
  { stream, firstMs, lastMs }: ThingStream,
  machineId: string,
  origin: string,
): AasElement {
  const field = (name: string) => ({ id: `${TIME_SERIES}/Segment/${name}/1/1` })
  const time = (ms: number) => new Date(ms).toISOString()
  return collection(
    `LinkedSegment_${idShortOf(stream)}`,
    { id: `${TIME_SERIES}/Segments/LinkedSegment/1/1` },
    [
      words('Name', field('Name'), stream),
      property('StartTime', field('StartTime'), 'xs:string', time(firstMs)),
      property('EndTime', field('EndTime'), 'xs:string', time(lastMs)),
      property(
        'Endpoint',
        { id: `${TIME_SERIES}/Endpoint/1/1` },
        'xs:string',
        `${origin}/v1/machines/${machineId}/readings`,
      ),
      property(
        'Query',
        { id: `${TIME_SERIES}/Query/1/1` },
        'xs:string',
        // Up to its last reading: the window is half-open.
        `stream=${stream}&fromMs=${firstMs}&toMs=${lastMs + 1}`,
      ),
    ],
  )
}

function namedFields(conceptsUnder: string, { stream, fields }: ThingStream): NamedField[] {
  const base = idShortOf(stream)
  return fields.map((field, index) => {
    // Names of readings may differ in what an idShort cannot hold: their place keeps them apart.
    const idShort = fields.length === 1 ? base : `${base}_${index + 1}`
    return { ...field, stream, idShort, conceptId: `${conceptsUnder}${idShort}` }
  })
}

function conceptDescription({
  stream,
  key,
  unit,
  kind,
  idShort,
  conceptId,
}: NamedField): AasElement {
  const name = key === stream ? stream : `${stream}: ${key}`
  return {
    modelType: 'ConceptDescription',
    id: conceptId,
    idShort,
    embeddedDataSpecifications: [
      {
        dataSpecification: external(IEC_61360),
        dataSpecificationContent: {
          modelType: 'DataSpecificationIec61360',
          preferredName: english(name.slice(0, NAME_CHARACTERS)),
          ...(unit === undefined || unit === '' ? {} : { unit: xmlText(unitOf(unit).unit) }),
          dataType: dataTypeOf(kind, unit),
          definition: english(`What the machine measures in its stream ${stream}.`),
        },
      },
    ],
  }
}

function dataTypeOf(kind: ValueField['kind'], unit: string | undefined): string {
  if (kind === 'string') return 'STRING'
  if (kind === 'boolean') return 'BOOLEAN'
  return unit === undefined || unit === '' ? 'REAL_COUNT' : 'REAL_MEASURE'
}
