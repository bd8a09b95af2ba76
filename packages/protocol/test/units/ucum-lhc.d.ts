/** The parts of the U.S. National Library of Medicine's UCUM library that are used here; it has no types of its own. */
declare module '@lhncbc/ucum-lhc' {
  class UcumLhcUtils {
    static getInstance(): UcumLhcUtils
    validateUnitString(code: string): { status: 'valid' | 'invalid' | 'error'; msg: string[] }
    convertUnitTo(
      from: string,
      value: number,
      to: string,
    ): { status: 'succeeded' | 'failed' | 'error'; toVal: number | null; msg: string[] }
  }
  const library: { UcumLhcUtils: typeof UcumLhcUtils }
  export default library
}
