/* SSIMULACRA 2 of two raw pictures, planar RGB of 8 bits, by vapoursynth-vszip: what benchmarks/ssimulacra2.py compares with.
 * usage: vszip_ssimulacra2 WIDTH HEIGHT REFERENCE DISTORTED; the plugin lies in vapoursynth/plugins, where it is found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "VapourSynth4.h"

typedef struct {
    const char *path;
    VSVideoInfo info;
} Raw;

static const VSFrame *VS_CC read_frame(int n, int reason, void *data, void **frame_data, VSFrameContext *context,
                                       VSCore *core, const VSAPI *api) {
    (void)n, (void)frame_data, (void)context;
    if (reason != arInitial) return NULL;
    Raw *raw = data;
    VSFrame *frame = api->newVideoFrame(&raw->info.format, raw->info.width, raw->info.height, NULL, core);
    VSMap *properties = api->getFramePropertiesRW(frame);
    api->mapSetInt(properties, "_Matrix", 0, maReplace);
    api->mapSetInt(properties, "_Transfer", 13, maReplace); /* sRGB */
    api->mapSetInt(properties, "_Primaries", 1, maReplace);
    FILE *file = fopen(raw->path, "rb");
    for (int plane = 0; plane < 3; plane++)
        for (int row = 0; row < raw->info.height; row++) {
            uint8_t *to = api->getWritePtr(frame, plane) + row * api->getStride(frame, plane);
            if (!file || fread(to, 1, raw->info.width, file) != (size_t)raw->info.width) exit(3);
        }
    fclose(file);
    return frame;
}

static void fail(const char *why) {
    fprintf(stderr, "%s\n", why ? why : "failed");
    exit(2);
}

int main(int count, char **words) {
    if (count != 5) fail("expected WIDTH HEIGHT REFERENCE DISTORTED");
    const VSAPI *api = getVapourSynthAPI(VAPOURSYNTH_API_VERSION);
    if (!api) fail("no VapourSynth API of this version");
    VSCore *core = api->createCore(0);
    VSMap *pair = api->createMap();
    const char *names[] = {"reference", "distorted"};
    static Raw raws[2];
    for (int i = 0; i < 2; i++) {
        raws[i].path = words[3 + i];
        raws[i].info = (VSVideoInfo){.fpsNum = 1, .fpsDen = 1, .width = atoi(words[1]), .height = atoi(words[2]), .numFrames = 1};
        api->getVideoFormatByID(&raws[i].info.format, pfRGB24, core);
        VSNode *node = api->createVideoFilter2(names[i], &raws[i].info, read_frame, NULL, fmUnordered, NULL, 0, &raws[i], core);
        api->mapSetNode(pair, names[i], node, maReplace);
    }
    VSPlugin *plugin = api->getPluginByNamespace("vszip", core);
    if (!plugin) fail("vszip is not among the plugins");
    VSMap *made = api->invoke(plugin, "SSIMULACRA2", pair);
    if (api->mapGetError(made)) fail(api->mapGetError(made));
    char why[256] = "";
    const VSFrame *frame = api->getFrame(0, api->mapGetNode(made, "clip", 0, NULL), why, sizeof why);
    if (!frame) fail(why);
    int error = 0;
    double score = api->mapGetFloat(api->getFramePropertiesRO(frame), "SSIMULACRA2", 0, &error);
    if (error) score = api->mapGetFloat(api->getFramePropertiesRO(frame), "_SSIMULACRA2", 0, &error);
    if (error) fail("no score among the frame's properties");
    printf("%.6f\n", score);
    fflush(stdout);
    _Exit(0);
}
